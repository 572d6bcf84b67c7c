"""The pictures that README and the notebooks show, each made by `python -m figures.make_figures`."""
