"""Tools that go with a drawing pad, one module each."""
