"""A service that takes JSON Web Tokens, with twelve defects that can be switched on."""
