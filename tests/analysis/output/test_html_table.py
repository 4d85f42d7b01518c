"""Tables in HTML: values as they are to be read, columns with names for people, nothing said in every row."""

import re

import numpy as np
import pandas as pd

from analysis.output.html_table import column_name, html_table, said_once


def cells(html):
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_a_table_has_its_values_as_they_are_to_be_read():
    table = pd.DataFrame({"name": ["<b>", None], "N": [1_571_472_384, 7], "loss": [2.0, np.nan]})
    html = html_table(table, "a & b", {"loss": ".3f"})
    assert cells(html) == [["name", "N", "loss"], ["&lt;b&gt;", "1,571,472,384", "2.000"], ["", "7", ""]]
    assert "<caption>a &amp; b</caption>" in html
    assert html.count('class="n"') == 2 * 3  # two columns of numbers
    assert "<caption>" not in html_table(table)


def test_fractions_share_their_decimals_and_columns_have_names_for_people():
    table = pd.DataFrame({"loo_rmse": [0.01457, 0.0105], "D": [3.2e7, 4e6], "own_name": [-1.5, 20.0]})
    assert cells(html_table(table)) == [
        ["leave-one-out RMSE", "D (tokens)", "own name"],
        ["0.01457", "32M", "\N{MINUS SIGN}1.50"],
        ["0.01050", "4M", "20.00"],
    ]
    assert column_name("by_parameters") == "parameters alone"


def test_what_is_the_same_in_every_row_is_said_once():
    table = pd.DataFrame({"size": ["a", "a"], "lr": [0.04, 0.04], "loss": [2.0, 3.0], "note": [None, None]})
    shown, words = said_once(table, keep=("size",))
    assert list(shown) == ["size", "loss"]
    assert words == "The same in every row: learning rate 0.04."
    assert said_once(table.iloc[:1])[1] == ""
