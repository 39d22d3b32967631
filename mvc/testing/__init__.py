"""What tests of mvc and of adapters to it are made from. Nothing but tests imports it."""
