# frozen_string_literal: true

module Railsbench
  # How much memory processes take.
  module Memory
    # The largest resident size so far, in bytes; the present one where the system keeps no peak.
    def self.peak_bytes(process_id = Process.pid)
      kibibytes = File.read("/proc/#{process_id}/status")[/^VmHWM:\s+(\d+) kB/, 1]
      Integer(kibibytes) * 1024
    rescue Errno::ENOENT
      Integer(`ps -o rss= -p #{Integer(process_id)}`.strip) * 1024
    end

    # A process and its children, such as a server and its workers. What they share is counted for
    # each of them.
    def self.peak_bytes_of_family(process_id)
      [process_id, *children(process_id)].sum { |id| peak_bytes(id) }
    end

    def self.children(process_id)
      parents = Dir.exist?("/proc/self") ? parents_from_proc : parents_from_ps
      parents.select { |_, parent| parent == process_id }.keys
    end

    # The parent's id follows the name, which is in brackets and may hold anything, and the state.
    def self.parents_from_proc
      Dir.glob("/proc/[0-9]*/stat").to_h do |path|
        [Integer(path[/\d+/]), Integer(File.read(path)[/.*\) \S+ (\d+)/m, 1])]
      rescue Errno::ENOENT, Errno::ESRCH
        [0, nil]
      end
    end

    def self.parents_from_ps
      `ps -A -o pid= -o ppid=`.lines.to_h { |line| line.split.map { |id| Integer(id) } }
    end
    private_class_method :parents_from_proc, :parents_from_ps
  end
end
