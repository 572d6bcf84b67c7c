"""Photos and scans of one digit, to one 28×28 picture in MNIST's convention."""

from digitlab.photo.locate import Found, NotOneDigit, SeveralDigits, find_digit, from_image
from digitlab.photo.sheet import Box

__all__ = ["Box", "Found", "NotOneDigit", "SeveralDigits", "find_digit", "from_image"]
