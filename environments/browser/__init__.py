"""Pages in a real Chromium: the web shop, small static sites, and a user's own."""
