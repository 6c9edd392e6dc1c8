"""The sections of the analysis page, one module each. Streamlit would take a folder `pages` for scripts of its own."""
