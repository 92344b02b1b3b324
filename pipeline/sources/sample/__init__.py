"""The built-in data set, drawn by the project itself."""
