"""Where committed parts and manifests go: a directory, or stdout."""
