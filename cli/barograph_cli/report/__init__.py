"""`barograph alerts report`: what a review of the time on call asks for, from the alerts stream alone."""
