"""jq expressions on events: what one may say, what it demands of a line's bytes, and the processes that evaluate it."""
