"""A package, so that its files share one browser and one JupyterLab: see conftest.py."""
