"""The network view: every layer of a network at work, and the sum that one of its units is."""

from digitlab.widgets.network_view.widget import NetworkView

__all__ = ["NetworkView"]
