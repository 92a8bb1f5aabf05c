"""Man pages, completion and docs/commands.md, made from the programs themselves so that none of them can drift.

pages.py         what a page says, and the programs there are
from_click.py    `dualsrm`, read off its commands
from_argparse.py `dualsrm-host` and `dualsrm-exporter`, read off their parsers
man.py           as roff
markdown.py      as docs/commands.md
__main__.py      the command line
"""
