"""The pictures of README and the notebooks, each made by `python -m figures.make_figures`."""
