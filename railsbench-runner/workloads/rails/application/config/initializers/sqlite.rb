# frozen_string_literal: true

# Rails 7.1 and later open SQLite like this by default. Earlier versions get the same, so that
# writing measures Rails and not how fast the disk syncs.
if ActiveRecord.gem_version < Gem::Version.new("7.1")
  module SqliteLikeNewerRails
    private

    def configure_connection
      super
      execute("PRAGMA synchronous = NORMAL")
      execute("PRAGMA mmap_size = 134217728")
      execute("PRAGMA journal_size_limit = 67108864")
      execute("PRAGMA cache_size = 2000")
    end
  end

  ActiveSupport.on_load(:active_record) do
    require "active_record/connection_adapters/sqlite3_adapter"
    ActiveRecord::ConnectionAdapters::SQLite3Adapter.prepend(SqliteLikeNewerRails)
  end
end
