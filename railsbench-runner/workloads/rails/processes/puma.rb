# frozen_string_literal: true

# Serves the application as its config/puma.rb says. In a process of its own, started without a
# shell or a wrapper script, so that it is this Ruby with the variant's flags;
# the application's folder is its working directory.

require "puma"
require "puma/cli"

Puma::CLI.new(["--config", "config/puma.rb"]).run
