"""The pages: they format a View, compute no money and hold no engine object."""
