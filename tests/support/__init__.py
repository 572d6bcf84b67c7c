"""What tests share: the root of the checkout, pages, mirrors, strokes."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
