"""What tests read off a figure's panel."""


def markers(axes):
    """Marked lines, one per P."""
    return [line for line in axes.lines if line.get_marker() not in ("None", "")]


def curves(axes):
    """Solid lines that hold something."""
    return [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata())]


def text(axes):
    """All that is written in a panel."""
    return "\n".join(t.get_text() for t in axes.texts)
