"""A real ML API under load, taken through an incident and back, watched by the whole pipeline."""
