# frozen_string_literal: true

# What Vagrant makes of the Vagrantfile in DIRECTORY, as JSON: by provider and machine. Its own words, after all merging.
# Neither provider has to work here: only the configuration is asked for.

require 'json'
require 'vagrant'

environment = Vagrant::Environment.new(cwd: ARGV.fetch(0))

provisioner = lambda do |one|
  given = one.config
  { name: one.name, type: one.type }.merge(
    one.type == :file ? { source: given.source } : { inline: given.inline, env: given.env, reboot: given.reboot }
  )
end

machine = lambda do |name, provider|
  vm = environment.vagrantfile.machine_config(name, provider, environment.boxes, nil, false)[:config].vm
  { hostname: vm.hostname, box: vm.box, networks: vm.networks.map { |type, options| options.merge(type: type) },
    provisioners: vm.provisioners.map(&provisioner),
    disks: provider == :libvirt ? vm.get_provider_config(:libvirt).disks.size : vm.disks.size }
end

puts JSON.generate(
  %i[libvirt virtualbox].to_h do |provider|
    [provider, environment.machine_names.to_h { |name| [name, machine.call(name, provider)] }]
  end
)
