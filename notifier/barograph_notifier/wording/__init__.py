"""What a notification says, in words that every channel shows alike."""
