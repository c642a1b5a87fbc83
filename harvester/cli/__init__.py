"""The command line: thin files, one a family of verbs, that parse, call and print."""
