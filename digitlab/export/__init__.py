"""A network to take along: as one web page that needs nothing else, or as ONNX."""

from digitlab.export.onnx import export_onnx as export_onnx
from digitlab.export.page import export_page as export_page
