"""`barograph top`: one service live in a terminal, over the REST API and the live connection of the console."""
