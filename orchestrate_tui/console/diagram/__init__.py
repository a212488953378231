"""Where the boxes and lines of a stage graph stand; pure, and without any input or output."""
