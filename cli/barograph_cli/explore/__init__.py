"""The analysis page: a Streamlit script over the console's REST API, in a process of its own."""
