"""What the product costs, beside what the same work costs without it; see README.md here."""
