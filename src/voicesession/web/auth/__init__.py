"""Ready authenticators: nobody (on this machine), tokens, and API keys."""
