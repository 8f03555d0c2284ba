"""Measures of the eight concepts that a complex adaptive city shows (MODEL section 11)."""
