"""Task files: BIRD's and Spider's layouts, and tasks that change a database."""
