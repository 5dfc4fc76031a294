"""How a reply is read: one reader for each kind of answer."""
