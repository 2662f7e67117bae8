"""The embedded atlas: real, sourced facts behind the services' own paths, for a room without a network."""
