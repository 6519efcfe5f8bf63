# frozen_string_literal: true

# Makes the database that every benchmark starts from.

require "json"
require_relative "../lib/railsbench/application"
require_relative "../lib/railsbench/child"

Railsbench::Child.run do
  Railsbench::Application.boot

  ActiveRecord::Migration.verbose = false
  folder = File.join(Railsbench::Application::FOLDER, "db")
  load File.join(folder, "schema.rb")
  load File.join(folder, "seeds.rb")

  # How a file is journaled stays with it; newer Rails asks for the same.
  ActiveRecord::Base.connection.execute("PRAGMA journal_mode = WAL")
  ActiveRecord::Base.connection.execute("ANALYZE")

  # Each benchmark gets a copy of this one file: closing it moves what the journal holds into it.
  ActiveRecord::Base.connection_pool.disconnect!
  journal = "#{ENV.fetch("RAILSBENCH_DATABASE")}-wal"
  raise Railsbench::Failure, "#{journal} was not emptied" if File.size?(journal)

  { rails_version: Rails.version }
end
