"""What the stage scripts share; see each module. Nothing is imported here on purpose."""
