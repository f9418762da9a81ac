"""What arguments and settings accept: declared once, for signatures and recipes alike."""
