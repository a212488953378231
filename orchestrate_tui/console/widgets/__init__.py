"""What the screens are made of; widgets draw what they are given and tell what was chosen."""
