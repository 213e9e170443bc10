"""What the screens are made of: lists of rows, the tree of spans, an event's text, the bar."""
