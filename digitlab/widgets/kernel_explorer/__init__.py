"""The kernel explorer: edit a 3×3 kernel and watch its response."""

from digitlab.widgets.kernel_explorer.widget import CLASSICS, KernelExplorer

__all__ = ["CLASSICS", "KernelExplorer"]
