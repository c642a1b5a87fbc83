"""What the harvester knows of each kind of API: one small declaration a file, gathered in `registry`."""
