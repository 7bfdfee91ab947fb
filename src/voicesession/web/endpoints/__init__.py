"""What HTTP can do: one function for each row of `voicesession.web.routes.ROUTES`."""
