"""The paper's tables and figures, made from our grids, with the paper's figures beside ours.

One file for each kind of experiment; each turns the results of a grid into an
:class:`paper.exhibit.Exhibit`, which knows how to become Markdown, a picture and JSON.
"""
