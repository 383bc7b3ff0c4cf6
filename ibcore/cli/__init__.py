"""The `ibkeeper` command."""
