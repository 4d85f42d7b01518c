"""The atlas: published laws refitted to their own runs, and what that says of each."""
