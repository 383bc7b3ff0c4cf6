"""Sections of the settings; `ibcore.config` puts them together and reads them."""
