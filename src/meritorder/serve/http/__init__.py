"""HTTP/1.1 as the data path needs it: server and client connections that hand bytes on untouched."""
