"""Pictures and videos repainted in the style of a picture."""
