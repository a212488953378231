"""What was there before a stage ran: kept in full, and put back whole or not at all."""
