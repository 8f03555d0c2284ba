"""Limits of the city model with known answers, beside what the model gives."""
