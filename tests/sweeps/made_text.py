"""Documents that differ by a number."""


def text_of(number, lines=30):
    return "\n".join(f"value_{number}_{i} = {number} * {i} + offset({i})" for i in range(lines))
