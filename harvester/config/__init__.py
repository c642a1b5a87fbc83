"""From one TOML file, tenant lists and secret references to frozen typed objects."""
