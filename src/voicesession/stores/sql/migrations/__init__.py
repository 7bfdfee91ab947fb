"""The revisions of the tables, in order. What is released is never changed again."""
